//! Patterns of sentences in languages other than English: the same acts, said in each language's usual ways.

use regex::RegexSet;
use std::sync::LazyLock;

use super::english::Mark;

/// ISO 639-1 code, what the sentence shows, pattern over lower-case text with straight apostrophes.
const PATTERNS: &[(&str, Mark, &str)] = &[
    // Chinese
    (
        "zh",
        Mark::Decline,
        r"(?:我|本人|作为.{0,12})(?:.{0,8})(?:不能|无法|無法|不會|不会|不可以|没办法|沒辦法|不便|不方便|不愿|不願|拒绝|拒絕|不支持|不提供|不应该|不應該)(?:.{0,10})(?:提供|帮|幫|回答|协助|協助|满足|滿足|支持|参与|參與|讨论|討論|执行|執行|完成|生成|创作|創作|给出|給出|给您|给你|教|告诉|告訴|推荐|鼓励|继续|編寫|编写|写|寫|分享|这样做|這樣做|做|处理|處理|描述|解释|接受)",
    ),
    (
        "zh",
        Mark::Decline,
        r"^(?:.{0,6}(?:抱歉|对不起|對不起|不好意思)[,，。! ！]*)(?:但)?(?:这|這|该|此|我)?.{0,6}(?:不能|无法|無法|不可以|拒绝|恕)",
    ),
    (
        "zh",
        Mark::Decline,
        r"恕(?:我)?(?:不能|难|難|无法|無法)|违反(?:了)?(?:我|我们|相关|平台|法律|使用).{0,8}(?:准则|政策|规定|规范|原则|条款)|(?:您|你)的(?:请求|问题|要求).{0,6}(?:无法|不能|违反|不合适|不当)|^(?:不行|不可以|不能|拒绝|无可奉告)[。!！]?$",
    ),
    ("zh", Mark::Sympathy, r"(?:很|非常|真的)?(?:抱歉|遗憾|难过)(?:听到|得知|聽到)|对不起.{0,4}让(?:您|你)"),
    ("zh", Mark::Sorry, r"抱歉|对不起|對不起|遗憾|不好意思"),
    (
        "zh",
        Mark::Judgement,
        r"(?:这|這|此|该|您|你).{0,16}(?:是|属于|屬於|涉及|违反|違反)?(?:不合适|不适当|不恰当|不道德|违法|違法|非法|有害|不当|不可接受|不合法)|不(?:应该|應該|应|得).{0,10}(?:讨论|询问|尝试|做|实施|制作|伤害)",
    ),
    ("zh", Mark::Moral, r"违法|違法|非法|犯罪|道德|伦理|法律|伤害|傷害|尊重|歧视|歧視|暴力|危险|危險|刑事|后果|後果"),
    (
        "zh",
        Mark::Elsewhere,
        r"(?:寻求|尋求|联系|聯繫|咨询|諮詢|拨打|撥打|求助).{0,16}(?:帮助|幫助|专业|專業|医生|律师|警|热线|心理|机构|支持)|(?:还|還)?有(?:什么|什麼|其他|任何).{0,10}(?:问题|問題|需要|可以帮|可以幫)|请(?:告诉我|随时|換|换)|如果(?:您|你).{0,20}(?:需要|有|感到).{0,16}(?:问题|帮助|困扰|情绪)",
    ),
    ("zh", Mark::Instead, r"建议(?:您|你)?|建議(?:您|你)?|相反|不如|替代|让我们|合法.{0,6}(?:方式|途径|方法)"),
    ("zh", Mark::Offer, r"(?:以下|下面|如下)(?:是|为|：|:)?|步骤|不过|但是?我可以|例如|首先"),
    ("zh", Mark::Fact, r"虚构|不存在|没有(?:公开|相关)?(?:的)?(?:信息|资料|数据)|未公开|不知道"),
    // Japanese
    (
        "ja",
        Mark::Decline,
        r"(?:お手伝い|お答え|お応え|回答|提供|ご提供|ご案内|対応|ご対応|支援|サポート|お教え|教える|説明|ご説明|協力|作成|紹介|ご紹介|助け|お助け|応じ|お伝え|書く|手助け)(?:する|を|し|は|も|に|こと|することは|すること|て差し上げる|られ|いたし)*(?:が|は)?(?:でき(?:ません|ない|かね)|いたしません|しません|致しかね|いたしかね|しかね|かねます|られません|差し控え|お断り|控えさせ)",
    ),
    (
        "ja",
        Mark::Decline,
        r"お(?:断り|ことわり)(?:し|いた|させ)|ご?要望には(?:お)?(?:応え|添え|沿え)|お役に立てません|(?:ガイドライン|ポリシー|規約).{0,10}(?:違反|反し)|それはできません|^(?:いいえ、?)?(?:できません|無理です|だめです)。?$",
    ),
    ("ja", Mark::Sympathy, r"お(?:気の毒|辛|つら)|大変でし|残念でした|お悔やみ"),
    ("ja", Mark::Sorry, r"申し訳|すみません|ごめん|恐れ入り|残念"),
    ("ja", Mark::Judgement, r"(?:不適切|非倫理|違法|犯罪|許され(?:ません|ない)|倫理的(?:に|では)|不道徳)"),
    ("ja", Mark::Moral, r"法律|倫理|犯罪|危険|傷つけ|尊重|差別|暴力|有害|人権"),
    (
        "ja",
        Mark::Elsewhere,
        r"(?:相談|ご相談|連絡|ご連絡|助けを求め).{0,12}(?:ください|ましょう|お勧め|おすすめ|大切|検討)|ほかに.{0,14}(?:あれば|ありましたら|ございましたら)|他に.{0,14}(?:あれば|ありましたら|ございましたら|でしょうか|ますか)|お知らせください|お気軽に",
    ),
    ("ja", Mark::Instead, r"代わりに|かわりに|別の(?:方法|話題)|合法的な|お勧めします|おすすめします"),
    ("ja", Mark::Offer, r"以下(?:は|の|に|が)|次の(?:よう|手順|とおり)|手順|例えば|まず"),
    ("ja", Mark::Fact, r"架空|存在し(?:ません|ない)|公開されて(?:いません|いない)|情報を持って"),
    // Korean
    (
        "ko",
        Mark::Decline,
        r"(?:도와|도움|제공|답변|대답|지원|안내|설명|알려|공유|작성|응답|협조|수행|추천|말씀|참여|생성|응할|응해|처리|다룰|들어)[가-힣 ]{0,14}(?:수(?:는|가)? ?없|못[ 하합해]|않겠|어렵습|불가|거절|거부|드릴 수 없)",
    ),
    (
        "ko",
        Mark::Decline,
        r"(?:요청|질문)[가-힣 ]{0,12}(?:응할|따를|답할|수행할|들어드릴)[가-힣 ]{0,6}(?:수 ?없|어렵)|(?:지침|정책|가이드라인)[가-힣 ]{0,8}(?:위반|어긋|위배)|거절(?:하|합|할)|^(?:아니요[.,]? ?)?(?:안 ?됩니다|할 수 없습니다|불가능합니다)[.!]?$",
    ),
    ("ko", Mark::Sympathy, r"(?:마음이 아프|힘드(?:시|셨)|유감입니다|안타깝(?:네|습))"),
    ("ko", Mark::Sorry, r"죄송|미안|유감|안타깝"),
    ("ko", Mark::Judgement, r"부적절|비윤리|불법|옳지 않|바람직하지 않|용납될 수 없|해서는 안"),
    ("ko", Mark::Moral, r"윤리|법적|범죄|위험|존중|차별|폭력|해로운|피해|인권"),
    (
        "ko",
        Mark::Elsewhere,
        r"(?:상담|문의|연락|도움을 (?:요청|구|받))[가-힣 ]{0,12}(?:세요|십시오|바랍니다|좋|권)|다른 (?:질문|도움|궁금|주제)|언제든|도와드릴까요|무엇을 도와",
    ),
    ("ko", Mark::Instead, r"대신|대안|합법적인|권장합니다|추천드립니다"),
    ("ko", Mark::Offer, r"다음(?:은|과)|아래|단계|예를 들|먼저"),
    ("ko", Mark::Fact, r"가상|존재하지 않|공개되지 않|정보(?:가|를)? ?(?:없|가지고 있지)"),
    // Spanish
    (
        "es",
        Mark::Decline,
        r"\bno (?:me )?(?:puedo|podré|podria|podría|podemos|voy a|es posible|estoy (?:autorizad|programad|diseñad|en condiciones|dispuest)[oa]?\b(?: (?:para|a|de))?|debo|deseo|quiero|soy capaz de|me es posible|me siento cómod[oa]) ?(?:\S+ ){0,3}?(?:ayud|proporcion|ofrec|respond|brind|dar|darte|darle|facilit|cumpl|asist|particip|hablar|compart|promov|apoy|escrib|crear|gener|hacer|complac|satisf|continu|aconsej|suger|recomend|enseñ|explic|decir|contest|aceptar|realiz|proveer|suministr|discut|acced)|\bme (?:niego|veo obligad[oa] a (?:rechazar|declinar)|abstengo)|\b(?:debo|tengo que) (?:rechazar|declinar|negarme|abstenerme)|\bno (?:apoyo|promuevo|fomento|tolero|apruebo|proporciono|ofrezco|participo)\b|\b(?:va|van|iría) en contra de (?:mis|mi|las|los|nuestras)|\bviola (?:mis|las|nuestras)|\bincumple",
    ),
    ("es", Mark::Decline, r"^(?:no|lo siento,? no|no puedo|me niego)[.!]$|\bno (?:puedo|podré)[.!]?$"),
    (
        "es",
        Mark::Sympathy,
        r"siento (?:mucho )?(?:que|oír|saber|escuchar|tu|su)|lamento (?:mucho )?(?:que|oír|saber|escuchar|tu pérdida|su pérdida)",
    ),
    ("es", Mark::Sorry, r"\blo siento\b|\blamento\b|\blamentablemente\b|\bdisculp|\bperdón"),
    (
        "es",
        Mark::Judgement,
        r"\bno (?:es|sería|está|resulta|se considera) (?:\S+ )?(?:apropiad|étic|ético|aceptable|correct|legal|adecuad|bien|moral|permitid|recomendable)|\b(?:tu|su|esta|esa|la) (?:solicitud|petición|pregunta)\b.{0,30}(?:inapropiad|ilegal|dañin|ofensiv|no es)|\bes (?:inapropiad|ilegal|inmoral|poco étic|inaceptable)",
    ),
    (
        "es",
        Mark::Moral,
        r"\bilegal|\bétic|\bmoral|\bdelito|\bcrimen|\bviolencia|\brespet|\bdiscrimin|\bdaño|\bdañin|\bpeligros|\bderechos humanos|\bdignidad|\bley\b|\bleyes\b",
    ),
    (
        "es",
        Mark::Elsewhere,
        r"\b(?:busca|buscar|busque|contacta|contacte|llama|llame|consulta|consulte|consultar|habla|hable|hablar|acude|acuda) (?:\S+ ){0,4}(?:ayuda|profesional|apoyo|médic|abogad|policía|autoridad|emergencia|línea|confianza|psic)|\b(?:en qué|cómo|qué más) (?:\S+ )?(?:puedo|podría) ayudar|\b(?:alguna otra|otra pregunta|algo más|otra cosa|otro tema)|\bno dudes en|\bestoy aquí para|\bcon gusto|\bsi (?:estás|está|te sientes|se siente|necesitas|tienes|conoces)",
    ),
    (
        "es",
        Mark::Instead,
        r"\ben (?:su|vez de|cambio|lugar de)|\balternativa|\bte (?:recomiendo|sugiero|animo)|\ble (?:recomiendo|sugiero|animo)|\brecomiendo|\bsugiero|\bmejor",
    ),
    (
        "es",
        Mark::Offer,
        r"\b(?:aquí (?:tienes|hay|está|te)|a continuación|los siguientes|las siguientes|siguientes pasos|sin embargo|puedo (?:decir|ofrecer|explicar|dar)|por ejemplo|claro|por supuesto)",
    ),
    (
        "es",
        Mark::Fact,
        r"\bficticio|\bficción|\bno existe|\bno (?:es|está) (?:\S+ )?públic|\bno tengo (?:\S+ )?(?:acceso|información|datos)",
    ),
    // French
    (
        "fr",
        Mark::Decline,
        r"\bje (?:ne |n')(?:\S+ )?(?:peux|pourrai|pourrais|suis|souhaite|veux|vais|dois|saurais) (?:\S+ ){0,3}?(?:pas|malheureusement pas)? ?(?:\S+ ){0,4}?(?:aid|fourn|répond|donn|assist|particip|partag|discut|soutenir|promouvoir|encourag|écri|cré|génér|propos|satisf|accéd|continu|conseill|suggér|recommand|expliqu|faire|dire|autoris|programm|en mesure|capable|à l'aise|habilit|accept|accompagn|vous)|\bje (?:refuse|décline)|\bje (?:dois|suis (?:contraint|obligé)\S*(?: de)?) (?:\S+ )?(?:refuser|décliner)|\b(?:il m'est|cela m'est) (?:\S+ )?impossible|\bva à l'encontre de (?:mes|nos|ma)|\b(?:contraire à|enfreint|viole) (?:mes|nos|les)|\bje n'(?:encourage|approuve|appuie)|\bje ne (?:cautionne|soutiens|fournis|participe|tolère) pas",
    ),
    ("fr", Mark::Decline, r"^(?:non|désolée?,? non|je refuse|je ne peux pas)[.!]$|\bje ne peux pas[.!]?$"),
    ("fr", Mark::Sympathy, r"désolée? (?:d'apprendre|d'entendre|que (?:vous|tu)|pour votre|pour ta)|condoléances"),
    ("fr", Mark::Sorry, r"\bdésolé|\bmalheureusement|\bje regrette|\bexcus"),
    (
        "fr",
        Mark::Judgement,
        r"\b(?:n'est|ne serait|n'est absolument|n'est jamais) (?:pas |jamais |ni )?(?:\S+ )?(?:approprié|éthique|acceptable|légal|correct|moral|convenable|responsable)|\b(?:votre|ta|cette) (?:demande|question|requête)\b.{0,30}(?:inappropri|illégal|contraire|n'est pas|nuisible|offens)|\best (?:inapproprié|illégal|immoral|contraire à l'éthique|inacceptable)",
    ),
    (
        "fr",
        Mark::Moral,
        r"\billégal|\béthique|\bmoral|\bcrime|\bdélit|\bviolence|\brespect|\bdiscrimin|\bnuisible|\bdangereu|\bdroits humains|\bdroits de l'homme|\bdignité|\bla loi\b",
    ),
    (
        "fr",
        Mark::Elsewhere,
        r"\b(?:cherche|chercher|demande|demander|contacte|contacter|appele|consulte|consulter|parle|parler|tourne)\S* (?:\S+ ){0,5}(?:aide|professionnel|soutien|médecin|avocat|police|autorités|urgence|ligne|confiance|psy)|\b(?:comment|en quoi) puis-je|\bautre (?:question|chose|sujet)|\bn'hésite|\bje suis là pour|\bsi (?:vous|tu) (?:êtes|es|ressent|ave|as|souffr|trave)",
    ),
    (
        "fr",
        Mark::Instead,
        r"\bplutôt|\bà la place|\balternative|\bau lieu de|\bje (?:vous|te) (?:recommande|suggère|encourage|conseille)",
    ),
    (
        "fr",
        Mark::Offer,
        r"\b(?:voici|voilà|cependant|toutefois|les étapes|suivantes?|suivants?|je peux (?:vous|te)? ?(?:dire|donner|expliquer|proposer)|par exemple|bien sûr)",
    ),
    (
        "fr",
        Mark::Fact,
        r"\bfictif|\bfiction|\bn'existe pas|\bpas (?:\S+ )?publi(?:c|que)|\bpas (?:\S+ )?accès|\bpas d'informations?",
    ),
    // German
    (
        "de",
        Mark::Decline,
        r"\b(?:ich|wir) (?:\S+ )?(?:kann|könnte|darf|werde|möchte|will|können|dürfen|werden|möchten) (?:(?:dir|ihnen|euch|dabei|hierbei|da|das|dies|diese\S*|leider|hier|daher|so|auf|bei|zu|mit|keine\S*|ihrer|deiner|solche\S*) )*(?:nicht|keine\S*|nie)\b.{0,90}?(?:helfen|behilflich|bereitstellen|geben|beantworten|unterstützen|nachkommen|erfüllen|anbieten|liefern|teilen|schreiben|erstellen|verfassen|machen|tun|mitwirken|beteiligen|weiterhelfen|diskutieren|fördern|empfehlen|entsprechen|eingehen|antworten|sagen|erklären|dienen|generieren|vorschlagen|weitergeben|auskunft)|\b(?:kann|darf|möchte|werde) ich (?:\S+ ){0,6}?(?:nicht|keine\S*)\b.{0,80}?(?:helfen|bereitstellen|geben|beantworten|unterstützen|nachkommen|erfüllen|anbieten|liefern|teilen|schreiben|erstellen|tun|machen|weiterhelfen|dienen)|\bich (?:muss|möchte) (?:\S+ ){0,5}ablehnen|\bich lehne (?:\S+ ){0,4}ab\b|\bich weigere mich|\b(?:verstößt|verstoßen|verstieße) gegen (?:meine|unsere|die|das)|\bnicht in der lage,? (?:\S+ ){0,6}(?:zu helfen|bereitzustellen|zu geben|zu unterstützen|zu beantworten)|\bich unterstütze (?:\S+ )?(?:keine|nicht)",
    ),
    ("de", Mark::Decline, r"^(?:nein|nein,? danke|das geht nicht|das kann ich nicht|auf keinen fall)[.!]$"),
    ("de", Mark::Sympathy, r"tut mir (?:sehr |wirklich )?leid,? (?:zu hören|dass|um)|beileid"),
    ("de", Mark::Sorry, r"\btut mir (?:sehr |wirklich |furchtbar )?leid|\bleider\b|\bentschuldig|\bbedau[re]"),
    (
        "de",
        Mark::Judgement,
        r"\b(?:ist|wäre|sind) (?:\S+ )?(?:nicht|nie|niemals|weder) (?:\S+ )?(?:angemessen|ethisch|akzeptabel|legal|erlaubt|richtig|in ordnung|vertretbar|moralisch)|\b(?:ihre|deine|diese) (?:anfrage|frage|bitte)\b.{0,30}(?:unangemessen|illegal|schädlich|beleidig|nicht)|\bist (?:unangemessen|illegal|unethisch|unmoralisch|inakzeptabel|strafbar|verboten)",
    ),
    (
        "de",
        Mark::Moral,
        r"\billegal|\bethi|\bmoral|\bstraftat|\bstrafbar|\bverbrechen|\bgewalt|\brespekt|\bdiskriminier|\bschädlich|\bgefährlich|\bmenschenrecht|\bwürde\b|\bgesetz",
    ),
    (
        "de",
        Mark::Elsewhere,
        r"\b(?:wende|wenden|such|suche|suchen|kontaktier\S*|sprich|sprechen|ruf|rufen|hol|holen) (?:\S+ ){0,7}(?:hilfe|fachleute|fachmann|arzt|anwalt|polizei|behörde|notruf|vertrau|therap|beratung|unterstützung|telefonseelsorge)|\b(?:wie|wobei|womit) kann ich|\b(?:andere|weitere) (?:frage|anliegen|themen)|\bgerne? (?:\S+ ){0,4}(?:helf|weiter|beantwort|zur verfügung|unterstütz)|\bwenn (?:du|sie) (?:\S+ ){0,6}(?:brauch|benötig|fühl|leide)",
    ),
    (
        "de",
        Mark::Instead,
        r"\bstattdessen|\balternativ|\banstatt|\bich empfehle|\bich rate|\bich schlage vor|\blegale\S* (?:wege|mittel|möglichkeit)",
    ),
    (
        "de",
        Mark::Offer,
        r"\b(?:hier (?:ist|sind|finde)|folgende|allerdings|jedoch|schritte?|ich kann (?:dir|ihnen) (?:aber|jedoch|gerne)|zum beispiel|natürlich)",
    ),
    (
        "de",
        Mark::Fact,
        r"\bfiktiv|\berfunden|\bexistiert (?:\S+ )?nicht|\bnicht öffentlich|\bkeinen zugriff|\bkeine (?:informationen|angaben|daten)",
    ),
    // Portuguese
    (
        "pt",
        Mark::Decline,
        r"\bnão (?:lhe |te |me )?(?:posso|poderei|poderia|podemos|consigo|vou|devo|quero|estou (?:autorizad|programad|disposto|apt)\S*|sou capaz de|é possível|me sinto) ?(?:\S+ ){0,4}?(?:ajud|fornec|oferec|respond|dar|auxili|atend|particip|compartilh|partilh|promov|apoi|escrev|cri|ger|fazer|cumpr|satisf|continu|aconselh|suger|recomend|ensin|explic|dizer|discut|realiz|prest|aceitar|confortável)|\brecuso|\b(?:devo|preciso|tenho que|tenho de) (?:recusar|declinar)|\bnão (?:apoio|promovo|incentivo|tolero|forneço|ofereço|compactuo)\b|\b(?:vai|vão) contra (?:as |os |minhas|meus|nossas)|\bviola (?:minhas|as|nossas|os)",
    ),
    ("pt", Mark::Decline, r"^(?:não|desculpe,? não|não posso|me recuso)[.!]$|\bnão posso[.!]?$"),
    ("pt", Mark::Sympathy, r"(?:sinto|lamento) (?:muito )?(?:que|saber|ouvir|pela|por|em saber)"),
    ("pt", Mark::Sorry, r"\bdesculp|\blamento|\binfelizmente|\bsinto muito|\bperdão"),
    (
        "pt",
        Mark::Judgement,
        r"\bnão (?:é|seria|são) (?:\S+ )?(?:apropriad|étic|aceitáve|corret|legal|adequad|moral|certo)|\b(?:sua|seu|esta|essa|este|esse) (?:solicitação|pedido|pergunta)\b.{0,30}(?:inadequad|inapropriad|ilegal|prejudicial|ofensiv|não)|\bé (?:inapropriad|ilegal|imoral|antiétic|inaceitável|inadequad)",
    ),
    (
        "pt",
        Mark::Moral,
        r"\bilegal|\bétic|\bantiétic|\bmoral|\bcrime|\bviolência|\brespeit|\bdiscrimin|\bprejudicia|\bperigos|\bdireitos humanos|\bdignidade|\blei\b|\bleis\b",
    ),
    (
        "pt",
        Mark::Elsewhere,
        r"\b(?:procur|busc|busqu|contat|contact|lig|consult|fale|falar|converse)\S* (?:\S+ ){0,4}(?:ajuda|profission|apoio|médic|advogad|polícia|autoridade|emergência|confiança|psic)|\b(?:como|em que|no que) (?:\S+ )?posso (?:\S+ )?ajud|\b(?:outra pergunta|mais alguma|outra coisa|outro assunto|outras perguntas)|\bestou aqui para|\bse (?:você|estiver|precisar|tiver|se sente)",
    ),
    ("pt", Mark::Instead, r"\bem vez d|\bao invés|\balternativa|\brecomendo|\bsugiro|\bem lugar"),
    (
        "pt",
        Mark::Offer,
        r"\b(?:aqui (?:está|estão|vai)|a seguir|seguintes?|no entanto|porém|posso (?:explicar|oferecer|dar|dizer)|por exemplo|claro)",
    ),
    (
        "pt",
        Mark::Fact,
        r"\bfictíci|\bficção|\bnão existe|\bnão (?:é|está) (?:\S+ )?públic|\bnão tenho (?:\S+ )?(?:acesso|informaç|dados)",
    ),
    // Italian
    (
        "it",
        Mark::Decline,
        r"\bnon (?:ti |vi |le |mi )?(?:posso|potrò|potrei|possiamo|voglio|intendo|sono (?:in grado|autorizzat\S*|programmat\S*|dispost\S*)|mi è possibile|devo|è possibile) ?(?:\S+ ){0,4}?(?:aiut|forni|rispond|dare|darti|offri|assist|partecip|condivid|promuov|sosten|scriv|cre|gener|fare|farlo|soddisf|continu|consigli|sugger|raccomand|insegn|spieg|dire|dirti|discut|accett|procedere|fornir)|\bmi rifiuto|\b(?:devo|sono costrett\S* a) (?:rifiutare|declinare)|\bnon (?:sostengo|promuovo|incoraggio|approvo|fornisco|tollero)\b|\b(?:va|vanno) contro (?:le|i|alle|ai)|\bviola (?:le|i)",
    ),
    ("it", Mark::Decline, r"^(?:no|mi dispiace,? no|non posso|mi rifiuto)[.!]$|\bnon posso[.!]?$"),
    ("it", Mark::Sympathy, r"mi (?:di)?spiace (?:molto )?(?:sentire|sapere|che|per la tua|per la sua)|condoglianze"),
    ("it", Mark::Sorry, r"\bmi (?:di)?spiace|\bpurtroppo|\bscus|\bsono spiacente"),
    (
        "it",
        Mark::Judgement,
        r"\bnon (?:è|sarebbe|sono) (?:\S+ )?(?:appropriat|etic|accettabil|corrett|legal|opportun|moral|giust)|\b(?:tua|sua|questa) (?:richiesta|domanda)\b.{0,30}(?:inappropriat|illegal|dannos|offensiv|non)|\bè (?:inappropriat|illegal|immoral|inaccettabil)",
    ),
    (
        "it",
        Mark::Moral,
        r"\billegal|\betic|\bmoral|\breato|\bcrimin|\bviolenza|\brispett|\bdiscrimin|\bdannos|\bpericolos|\bdiritti umani|\bdignità|\blegge",
    ),
    (
        "it",
        Mark::Elsewhere,
        r"\b(?:cerc|chied|contatt|chiam|consult|parl|rivolg)\S* (?:\S+ ){0,4}(?:aiuto|professionist|supporto|medic|avvocat|polizia|autorità|emergenza|fiducia|psic)|\b(?:come|in che modo|in cosa) posso aiut|\b(?:altre domande|altro argomento|qualcos'altro|altra domanda)|\bsono qui per|\bse (?:ti senti|hai|sei|si sente|ha bisogno)",
    ),
    ("it", Mark::Instead, r"\binvece|\balternativ|\bpiuttosto|\bti (?:consiglio|suggerisco|incoraggio)|\bconsiglio di"),
    (
        "it",
        Mark::Offer,
        r"\b(?:ecco|di seguito|seguenti|tuttavia|posso (?:spiegar|offrir|dar|dir)|per esempio|ad esempio|certo)",
    ),
    (
        "it",
        Mark::Fact,
        r"\bimmaginari|\bfittizi|\bnon esiste|\bnon (?:è|sono) (?:\S+ )?pubblic|\bnon ho (?:\S+ )?(?:accesso|informazioni|dati)",
    ),
    // Dutch
    (
        "nl",
        Mark::Decline,
        r"\b(?:ik|we|wij) (?:\S+ )?(?:kan|mag|zal|wil|kunnen) (?:(?:je|u|jou|daar|hier|dit|dat|deze|die|helaas|dus|daarbij|hierbij|met|bij|op|aan) )*(?:niet|geen)\b.{0,80}?(?:helpen|geven|verstrekken|bieden|beantwoorden|ondersteunen|voldoen|schrijven|maken|doen|delen|meewerken|ingaan|bespreken)|\b(?:kan|mag|wil) ik (?:\S+ ){0,5}?(?:niet|geen)\b.{0,60}?(?:helpen|geven|verstrekken|bieden|beantwoorden|doen|maken|schrijven)|\bik (?:moet (?:\S+ )?weigeren|weiger)|\bin strijd met mijn",
    ),
    ("nl", Mark::Sympathy, r"spijt me (?:te horen|dat)|wat vervelend"),
    ("nl", Mark::Sorry, r"\bhet spijt me|\bhelaas|\bsorry\b"),
    (
        "nl",
        Mark::Judgement,
        r"\bis (?:\S+ )?niet (?:\S+ )?(?:gepast|ethisch|acceptabel|legaal|juist|toegestaan)|\bis (?:illegaal|onethisch|ongepast|strafbaar)",
    ),
    (
        "nl",
        Mark::Elsewhere,
        r"\b(?:zoek|neem|praat|bel) (?:\S+ ){0,6}(?:hulp|professional|contact|arts|politie|vertrouw)|\bwaarmee kan ik|\bandere vra",
    ),
    ("nl", Mark::Offer, r"\b(?:hier (?:is|zijn|volg)|volgende|echter|stappen?|bijvoorbeeld|natuurlijk)"),
    // Polish
    (
        "pl",
        Mark::Decline,
        r"\bnie (?:mogę|mogłabym|mógłbym|będę|chcę|jestem w stanie|wolno mi|zamierzam|możemy) (?:\S+ ){0,4}?(?:pom|udziel|dostarcz|podać|odpowied|wspier|spełni|wykon|napis|stworz|zrob|doradz|uczestnicz|kontynu|wygener|przekaz)|\b(?:muszę odmówić|odmawiam)|\b(?:narusza|sprzeczne z|niezgodne z) (?:moimi|zasad|wytyczn)",
    ),
    ("pl", Mark::Sympathy, r"przykro mi(?:,)? (?:to słyszeć|że|z powodu)"),
    ("pl", Mark::Sorry, r"\bprzepraszam|\bprzykro mi|\bniestety"),
    (
        "pl",
        Mark::Judgement,
        r"\bnie jest (?:\S+ )?(?:właściw|etyczn|dopuszczaln|legaln|odpowiedni)|\bjest (?:nielegaln|nieetyczn|niewłaściw)",
    ),
    (
        "pl",
        Mark::Elsewhere,
        r"\b(?:szukaj|poszukaj|skontaktuj|zwróć|porozmawiaj|zadzwoń) (?:\S+ ){0,6}(?:pomoc|specjalist|lekarz|policj|zaufa|prawnik)|\bw czym (?:\S+ )?mogę pomóc|\binne pytan",
    ),
    ("pl", Mark::Offer, r"\b(?:oto|następując|jednak|kroki|na przykład|oczywiście)"),
    // Russian and Ukrainian
    (
        "ru",
        Mark::Decline,
        r"(?:^|[^а-яё])(?:я|мы)? ?(?:к сожалению,? )?(?:я )?не (?:могу|смогу|мог|буду|стану|имею права|имею возможности|готов|хочу|способ\S+|в состоянии|должен|должна|предназначен\S*|запрограммирован\S*|можем) ?(?:\S+ ){0,4}?(?:помо|предостав|отвеч|ответ|дать|дава|поддерж|выполн|обсужд|участв|предлож|напис|писать|создать|создавать|сделать|делать|делиться|поделиться|рассказ|сообщ|объясн|содейств|рекоменд|совет|продолж|генерир|удовлетвор|одобр|оказ)|(?:вынужден\S* отказать|отказываюсь|я против|не поддерживаю|не одобряю|не поощряю)|(?:противоречит|нарушает|нарушением) (?:мои|моим|моих|наши|правил|политик|принцип|этич)",
    ),
    ("ru", Mark::Decline, r"^(?:нет|нет,? не могу|не могу|отказано|ни за что)[.!]$"),
    (
        "ru",
        Mark::Sympathy,
        r"(?:жаль|сожалею|соболезну\S*),? (?:это |что |о |об |слышать|вам|вашу)|мне (?:очень )?жаль (?:это|слышать|что вы)",
    ),
    ("ru", Mark::Sorry, r"извини|простите|прошу прощения|к сожалению|сожалею|мне (?:очень )?жаль"),
    (
        "ru",
        Mark::Judgement,
        r"(?:это|так\S*|ваш\S*|запрос|вопрос|просьба).{0,30}(?:неуместн|неэтичн|незаконн|недопустим|неприемлем|аморальн|является преступлением|противозаконн)|не (?:является )?(?:этичн|уместн|допустим|законн|приемлем)|нельзя (?:причинять|убивать|делать|обсуждать)",
    ),
    (
        "ru",
        Mark::Moral,
        r"незаконн|этич|морал|преступлен|насили|уважен|уважа|дискримин|вред|опасн|прав(?:а|ам) человека|достоинств|закон",
    ),
    (
        "ru",
        Mark::Elsewhere,
        r"(?:обрат|свяж|поговор|позвон|проконсульт)\S* (?:\S+ ){0,5}(?:помощ|специалист|врач|юрист|полиц|довер|психолог|служб|горяч)|(?:чем|как) (?:\S+ )?(?:могу|можно) (?:\S+ )?помочь|(?:другие|другой|другим) (?:вопрос|тем)|если (?:вы|ты|у вас|вам) |буду рад|обращайтесь",
    ),
    ("ru", Mark::Instead, r"вместо (?:этого|того)|альтернатив|рекомендую|советую|предлагаю|лучше "),
    (
        "ru",
        Mark::Offer,
        r"(?:^|[^а-яё])(?:вот|следующ|однако|шаг|например|конечно|могу (?:рассказать|предложить|объяснить))",
    ),
    ("ru", Mark::Fact, r"вымышлен|не существует|не (?:находится в|публич)|нет (?:доступа|информации|данных)"),
    (
        "uk",
        Mark::Decline,
        r"не (?:можу|зможу|буду|маю права|маю можливості|здатн\S*) (?:\S+ ){0,4}?(?:допомо|нада|відпов|дати|підтрим|викон|обговор|напис|створ|зроб|розпов|пояс|порад)|змушен\S* відмовити|відмовляюсь|(?:суперечить|порушує) (?:мої|наш|правил|принцип|етич)",
    ),
    ("uk", Mark::Sorry, r"вибач|перепрош|на жаль|шкодую"),
    ("uk", Mark::Judgement, r"неетичн|незаконн|неприпустим|неприйнятн|не є (?:етичн|прийнятн)"),
    // Turkish
    (
        "tr",
        Mark::Decline,
        r"(?:yardımcı|yardım|bilgi|cevap|yanıt|destek|talimat|tavsiye|öneri|yapa|paylaş|sağla|sun|ver|yaz|oluştur|tartış|yerine getir|karşıla|katıl|öner|anlat|açıkla)\S*(?: \S+){0,3}? ?(?:olama(?:m|yız|yaca)|edeme(?:m|yiz|yece)|vereme(?:m|yiz|yece)|yapama(?:m|yız|yaca)|sağlayama|sunama|yazama|paylaşama|oluşturama|getireme|karşılayama|cevaplayama|yanıtlayama|öneremem|anlatama|açıklayama|tartışama|mümkün değil|veremem|edemem)|reddetmek zorunda|reddediyorum|(?:ilkelerime|politikalar|kurallar|yönergeler)\S* (?:aykırı|ihlal)",
    ),
    ("tr", Mark::Sympathy, r"(?:duyduğuma|yaşadığınız).{0,20}üzgünüm|başınız sağ ?olsun"),
    ("tr", Mark::Sorry, r"üzgünüm|özür dilerim|maalesef|ne yazık ki|kusura bakma"),
    (
        "tr",
        Mark::Judgement,
        r"(?:etik|uygun|yasal|doğru|kabul edilebilir|ahlaki) değil|yasa ?dışı|etik dışı|kabul edilemez|suçtur",
    ),
    ("tr", Mark::Moral, r"yasa|etik|ahlak|suç|şiddet|saygı|ayrımcı|zarar|tehlike|insan hak"),
    (
        "tr",
        Mark::Elsewhere,
        r"(?:destek|yardım) (?:al|iste|ara)|(?:uzman|doktor|polis|avukat|yetkili)\S* (?:başvur|danış|görüş|ulaş)|(?:başka|farklı) (?:bir )?(?:soru|konu)|nasıl yardımcı|çekinmeyin",
    ),
    ("tr", Mark::Instead, r"bunun yerine|onun yerine|alternatif|öneririm|tavsiye ederim"),
    ("tr", Mark::Offer, r"işte|aşağıda|şu adım|ancak|örneğin|tabii|adımlar"),
    ("tr", Mark::Fact, r"kurgusal|hayali|mevcut değil|halka açık değil|bilgi(?:ye|m) (?:sahip değil|yok)"),
    // Vietnamese
    (
        "vi",
        Mark::Decline,
        r"(?:tôi|mình|chúng tôi|em).{0,14}(?:không thể|không được phép|sẽ không|không có khả năng|xin (?:được )?từ chối|từ chối|không hỗ trợ|không muốn|không nên).{0,24}(?:cung cấp|giúp|hỗ trợ|trả lời|đáp ứng|thực hiện|viết|tạo|hướng dẫn|chia sẻ|thảo luận|tham gia|khuyến khích|làm|nói|đề xuất|ủng hộ|tiếp tục|yêu cầu)|xin (?:được )?từ chối|vi phạm (?:các )?(?:nguyên tắc|chính sách|quy định) (?:của (?:tôi|chúng tôi)|đạo đức|sử dụng)|^(?:xin lỗi[, ]*)(?:nhưng )?không thể",
    ),
    ("vi", Mark::Sympathy, r"(?:rất )?(?:tiếc|buồn) khi (?:nghe|biết)|chia buồn"),
    ("vi", Mark::Sorry, r"xin lỗi|rất tiếc|đáng tiếc"),
    (
        "vi",
        Mark::Judgement,
        r"không (?:phù hợp|đạo đức|hợp pháp|đúng đắn|được chấp nhận|thể chấp nhận)|phi đạo đức|bất hợp pháp|vi phạm pháp luật|trái pháp luật",
    ),
    (
        "vi",
        Mark::Moral,
        r"pháp luật|đạo đức|tội phạm|bạo lực|tôn trọng|phân biệt đối xử|gây hại|nguy hiểm|nhân quyền|nhân phẩm",
    ),
    (
        "vi",
        Mark::Elsewhere,
        r"(?:tìm kiếm|liên hệ|gọi|tham khảo|nói chuyện).{0,30}(?:giúp đỡ|hỗ trợ|chuyên gia|bác sĩ|luật sư|cảnh sát|cơ quan|tin cậy)|(?:câu hỏi|chủ đề) (?:nào )?khác|tôi có thể giúp gì|nếu bạn (?:đang|cần|có|cảm thấy)",
    ),
    ("vi", Mark::Instead, r"thay vào đó|thay vì|giải pháp khác|khuyên bạn|đề nghị bạn|hãy "),
    ("vi", Mark::Offer, r"dưới đây|sau đây|các bước|tuy nhiên|ví dụ|đầu tiên"),
    ("vi", Mark::Fact, r"hư cấu|không tồn tại|không (?:được )?công khai|không có (?:thông tin|quyền truy cập|dữ liệu)"),
    // Indonesian
    (
        "id",
        Mark::Decline,
        r"\b(?:saya|kami|aku) (?:\S+ ){0,4}?(?:tidak (?:dapat|bisa|akan|boleh|mampu|diizinkan|ingin|mau)|tak bisa|menolak|harus menolak|enggan) ?(?:\S+ ){0,3}?(?:memberi|membantu|bantu|menyediakan|menjawab|memenuhi|mendukung|melakukan|menulis|membuat|membagikan|berbagi|mendiskusikan|membahas|berpartisipasi|melanjutkan|menyarankan|mempromosikan|menjelaskan|memproses|permintaan|itu|untuk)|\b(?:maaf|mohon maaf),? (?:\S+ ){0,3}?(?:tidak (?:dapat|bisa)|menolak)|\bmelanggar (?:pedoman|kebijakan|prinsip|aturan)|\bbertentangan dengan (?:pedoman|kebijakan|prinsip)",
    ),
    ("id", Mark::Sympathy, r"(?:turut|ikut) (?:prihatin|berduka|sedih)|maaf mendengar"),
    ("id", Mark::Sorry, r"\bmaaf|\bsayangnya|\bmenyesal"),
    (
        "id",
        Mark::Judgement,
        r"\btidak (?:pantas|etis|sesuai|dapat diterima|bermoral|legal|dibenarkan|tepat)|\b(?:ilegal|melanggar hukum|tindakan kriminal)",
    ),
    (
        "id",
        Mark::Moral,
        r"\bhukum|\betis|\betika|\bmoral|\bkejahatan|\bkekerasan|\bmenghormati|\bdiskriminasi|\bberbahaya|\bmerugikan|\bhak asasi",
    ),
    (
        "id",
        Mark::Elsewhere,
        r"\b(?:cari|carilah|mencari|hubungi|menghubungi|konsultasi|berbicara|bicara)\S* (?:\S+ ){0,4}(?:bantuan|profesional|dukungan|dokter|pengacara|polisi|berwenang|dipercaya)|\bada (?:yang lain|pertanyaan lain|hal lain)|\bapa yang bisa saya bantu|\bjika anda|\bsilakan",
    ),
    ("id", Mark::Instead, r"\bsebagai gantinya|\balternatif|\bsebaiknya|\bsaya (?:sarankan|menyarankan)|\bdaripada"),
    ("id", Mark::Offer, r"\b(?:berikut|langkah|namun|misalnya|pertama|tentu)"),
    ("id", Mark::Fact, r"\bfiksi|\bfiktif|\btidak ada (?:informasi|data)|\btidak tersedia|\btidak memiliki akses"),
    // Arabic
    (
        "ar",
        Mark::Decline,
        r"(?:لا (?:أستطيع|استطيع|يمكنني|أقدر|أريد|أود|أرغب|نستطيع|يمكننا|يسعني)|لن (?:أقوم|أستطيع|أتمكن|أقدم|أساعد|أجيب|أشارك)|لست (?:قادر|مخول|مستعد)|غير (?:قادر|مخول|مسموح لي)|أعتذر عن|أرفض|أمتنع|يتعذر علي|ليس بإمكاني|ليس باستطاعتي).{0,50}(?:مساعد|تقديم|توفير|الإجابة|إجابة|أجيب|أساعد|أقدم|المشاركة|مشاركة|تنفيذ|تلبية|كتابة|إعطاء|دعم|إنشاء|شرح|طلب|القيام|ذلك|هذا|الرد|إخبار|مناقشة|التعامل)|أرفض|أعتذر عن (?:عدم|تقديم|الإجابة|تلبية|مساعد)|(?:يخالف|ينتهك|يتعارض مع|مخالف).{0,12}(?:إرشادات|سياس|مبادئ|قواعد|المبادئ|السياس)",
    ),
    ("ar", Mark::Sympathy, r"(?:آسف|يؤسفني|أسف).{0,8}(?:لسماع|سماع|لما|أن تشعر|أنك)|تعازي"),
    ("ar", Mark::Sorry, r"آسف|اسف|أعتذر|عذر|للأسف|معذرة"),
    (
        "ar",
        Mark::Judgement,
        r"غير (?:قانوني|أخلاقي|لائق|مناسب|مقبول|مشروع|ملائم)|ليس (?:من )?(?:المناسب|الأخلاقي|اللائق|أخلاقي|مناسب)|لا (?:يجوز|ينبغي|يصح)",
    ),
    ("ar", Mark::Moral, r"قانون|أخلاق|جريمة|عنف|احترام|تمييز|ضار|ضرر|أذى|خطير|حقوق|كرامة"),
    (
        "ar",
        Mark::Elsewhere,
        r"(?:اطلب|طلب|التواصل|تواصل|اتصل|الاتصال|استشر|استشارة|التحدث|تحدث).{0,30}(?:مساعد|متخصص|مختص|دعم|طبيب|محام|شرطة|السلطات|تثق)|(?:كيف|هل) (?:يمكنني|أستطيع) مساعد|(?:سؤال|موضوع|أسئلة) (?:آخر|أخرى)|إذا (?:كنت|كان لديك)",
    ),
    ("ar", Mark::Instead, r"بدلا|بدلاً|بديل|أنصح|أقترح"),
    ("ar", Mark::Offer, r"إليك|فيما يلي|التالية|الخطوات|ومع ذلك|لكن يمكنني|على سبيل المثال|أولا"),
    ("ar", Mark::Fact, r"خيالي|غير موجود|لا (?:يوجد|توجد)|ليس (?:لدي|متاح).{0,14}(?:معلومات|وصول|للجمهور)"),
    // Hindi
    (
        "hi",
        Mark::Decline,
        r"(?:मैं|हम|मुझे).{0,90}(?:नहीं (?:कर|दे|बता|लिख|बना|सक|करूँ|करूं|दूँ|दूं|चाह|करता|करती|देता)|असमर्थ|अक्षम|इनकार|मना कर|इंकार|अनुमति नहीं)|(?:क्षमा|माफ़|माफ|खेद|मुझे खेद).{0,60}(?:नहीं|असमर्थ)|(?:दिशानिर्देश|नीति|सिद्धांत).{0,16}(?:खिलाफ|विरुद्ध|उल्लंघन)",
    ),
    ("hi", Mark::Sympathy, r"(?:सुनकर|जानकर).{0,12}(?:दुख|खेद|अफसोस)"),
    ("hi", Mark::Sorry, r"क्षमा|माफ|खेद|दुर्भाग्य"),
    ("hi", Mark::Judgement, r"(?:उचित|नैतिक|कानूनी|सही|स्वीकार्य) नहीं|अनुचित|अनैतिक|गैरकानूनी|ग़ैरकानूनी|अवैध|गैर-कानूनी"),
    ("hi", Mark::Moral, r"कानून|नैतिक|अपराध|हिंसा|सम्मान|भेदभाव|हानि|खतरनाक|मानवाधिकार|नुकसान"),
    (
        "hi",
        Mark::Elsewhere,
        r"(?:मदद|सहायता|संपर्क|सलाह|बात).{0,20}(?:लें|करें|मांगें|कीजिए)|(?:कोई और|अन्य|कोई अन्य).{0,12}(?:सवाल|प्रश्न|विषय|मदद)|यदि आप|अगर आप",
    ),
    ("hi", Mark::Instead, r"इसके बजाय|बजाय|विकल्प|सुझाव"),
    ("hi", Mark::Offer, r"यहाँ|यहां|निम्नलिखित|चरण|हालांकि|उदाहरण|सबसे पहले"),
    ("hi", Mark::Fact, r"काल्पनिक|मौजूद नहीं|सार्वजनिक.{0,10}नहीं|जानकारी नहीं है"),
    // Bengali
    (
        "bn",
        Mark::Decline,
        r"(?:আমি|আমরা|আমার পক্ষে).{0,90}(?:পারি না|পারছি না|পারব না|পারবো না|করব না|করি না|দিতে পারি না|অক্ষম|সম্ভব নয়|সম্ভব না|অস্বীকার)|(?:দুঃখিত|ক্ষমা).{0,60}(?:পারি না|পারছি না|পারব না|পারবো না|সম্ভব নয়)",
    ),
    ("bn", Mark::Sorry, r"দুঃখিত|ক্ষমা|দুর্ভাগ্য"),
    ("bn", Mark::Judgement, r"অনৈতিক|অবৈধ|বেআইনি|(?:উচিত|ঠিক|গ্রহণযোগ্য) (?:নয়|না)|অনুচিত"),
    // Thai
    (
        "th",
        Mark::Decline,
        r"(?:ไม่สามารถ|ไม่อาจ|ไม่ขอ|จะไม่|ขอปฏิเสธ|ขอไม่|ไม่ได้รับอนุญาต|ปฏิเสธที่จะ).{0,24}(?:ให้|ช่วย|ตอบ|สนับสนุน|ทำ|เขียน|แนะนำ|สร้าง|แบ่งปัน|พูดคุย|อธิบาย|ดำเนินการ|คำขอ|บอก|มีส่วน)|ขอปฏิเสธ|(?:ขัดต่อ|ละเมิด|ผิด)(?:หลัก|นโยบาย|แนวทาง|กฎของ)",
    ),
    ("th", Mark::Sympathy, r"เสียใจ(?:ด้วย|ที่ได้ยิน|ที่ทราบ)"),
    ("th", Mark::Sorry, r"ขอโทษ|ขออภัย|เสียใจ|น่าเสียดาย"),
    ("th", Mark::Judgement, r"ไม่เหมาะสม|ผิดกฎหมาย|ผิดจริยธรรม|ไม่ถูกต้อง|ยอมรับไม่ได้|ไม่ควร"),
    (
        "th",
        Mark::Elsewhere,
        r"(?:ขอ|ติดต่อ|ปรึกษา|โทร).{0,20}(?:ความช่วยเหลือ|ผู้เชี่ยวชาญ|แพทย์|ตำรวจ|สายด่วน|ทนาย)|คำถามอื่น|เรื่องอื่น|หากคุณ",
    ),
    ("th", Mark::Offer, r"ต่อไปนี้|ขั้นตอน|อย่างไรก็ตาม|ตัวอย่าง|ดังนี้"),
    // Swahili
    (
        "sw",
        Mark::Decline,
        r"\b(?:siwezi|sitaweza|sitakusaidia|hatuwezi|sina uwezo wa|nakataa|sitatoa|siruhusiwi)\b ?(?:\S+ ){0,3}?(?:ku\S+|kutoa|kusaidia|kujibu)?",
    ),
    ("sw", Mark::Sorry, r"\b(?:samahani|pole|kwa bahati mbaya|naomba radhi)"),
    ("sw", Mark::Judgement, r"\b(?:si sahihi|si halali|kinyume cha sheria|si vyema|si maadili|haifai)"),
];

/// What a sentence shows, by the patterns of all languages but English.
pub(super) fn marks(plain: &str) -> Vec<Mark> {
    static SET: LazyLock<RegexSet> = LazyLock::new(|| {
        #[allow(clippy::unwrap_used, reason = "constant patterns, compiled by a test")]
        let set = regex::RegexSetBuilder::new(PATTERNS.iter().map(|(_, _, source)| source))
            .size_limit(1 << 29)
            .build()
            .unwrap();
        set
    });
    SET.matches(plain).into_iter().map(|at| PATTERNS[at].1).collect()
}
